import { createIdentityService } from '../features/identity/service.ts'
import { readConfig } from '../platform/config.ts'
import { openDatabase } from '../platform/db/open.ts'
import { createLog } from '../platform/log.ts'
import { createPubSub } from '../platform/pubsub/pubsub.ts'
import { main } from './main.ts'

/** `make link`: a fresh single-use sign-in link for the first administrator, for whoever may read this terminal. */
await main(async () => {
  const config = readConfig(process.env)
  const log = createLog({ level: 'warn' })
  const database = await openDatabase({ config, log })
  const pubsub = createPubSub({ redisUrl: config.redisUrl, log })
  const { db } = database
  const { jwtSecret, registration } = config
  const identity = createIdentityService({ db, pubsub, jwtSecret, registration })
  const token = await identity.createLink()
  identity.close()
  await pubsub.close()
  await database.close()
  console.log('Sign in (once, within 15 minutes; earlier links stop working):')
  console.log(`${config.publicUrl ?? `http://localhost:${config.port}`}/link#${token}`)
})
