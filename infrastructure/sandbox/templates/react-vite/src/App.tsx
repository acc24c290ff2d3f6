import { cards, tagline, title } from './content.ts'

export function App() {
  return (
    <>
      <a className="skip" href="#content">
        Skip to the content
      </a>
      <header className="hero">
        <h1>{title}</h1>
        <p className="tagline">{tagline}</p>
      </header>
      <main id="content">
        <ul className="cards">
          {cards.map((card) => (
            <li className="card" key={card.id}>
              <h2>{card.title}</h2>
              <p>{card.text}</p>
            </li>
          ))}
        </ul>
      </main>
      <footer className="foot">Made with React and Vite</footer>
    </>
  )
}
