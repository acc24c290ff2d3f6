import { customType, timestamp, uuid } from 'drizzle-orm/pg-core'
import { newId } from '../ids.ts'

/** Columns that every table spells alike. */
export const id = <Id extends string>() =>
  uuid()
    .$type<Id>()
    .primaryKey()
    .$defaultFn(newId<Id>)
export const ref = <Id extends string>(name?: string) => (name ? uuid(name) : uuid()).$type<Id>()
export const at = (name?: string) =>
  name ? timestamp(name, { withTimezone: true, mode: 'date' }) : timestamp({ withTimezone: true, mode: 'date' })
export const createdAt = () => at().notNull().defaultNow()
export const updatedAt = () =>
  at()
    .notNull()
    .defaultNow()
    .$onUpdate(() => new Date())

/** Dollars, exact: eight places stored, always handled as a string. */
export const money = customType<{ data: string; driverData: string }>({ dataType: () => 'numeric(18,8)' })
