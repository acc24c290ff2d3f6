import { readConfig } from '../platform/config.ts'
import { openDatabase } from '../platform/db/open.ts'
import { createLog } from '../platform/log.ts'
import { main } from './main.ts'

/** Brings the database up to date and ends: for installations that start several processes. */
await main(async () => {
  const config = readConfig(process.env)
  const database = await openDatabase({ config, log: createLog({ level: config.logLevel }) })
  await database.close()
  console.log(`${database.source} is up to date`)
})
