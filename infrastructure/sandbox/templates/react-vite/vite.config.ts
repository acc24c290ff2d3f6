import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// The port is given by whoever starts the server: each branch of a project has one of its own.
const port = Number(process.env.PORT ?? 3000)

export default defineConfig({
  plugins: [react()],
  server: { host: '127.0.0.1', port, strictPort: true },
  preview: { host: '127.0.0.1', port, strictPort: true },
})
