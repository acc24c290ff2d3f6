import { v7 } from 'uuid'

/** A fresh uuid v7, typed as the id that the caller needs. */
export const newId = <Id extends string>(): Id => v7() as Id
