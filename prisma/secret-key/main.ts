import { ConfigError, readConfig } from '../../core/config.ts';
import { makeLog } from '../../core/log.ts';
import { failStart } from '../../core/stop-signals.ts';
import { openDatabase } from '../client.ts';
import { agreeOnSecretKey } from './agree.ts';
import { configuredKey } from './configured-key.ts';
import { reseal } from './reseal.ts';

/** `npm run reseal`: the second half of a change of the secret key (docs/upgrade.md). */
async function main(): Promise<void> {
  const config = readConfig();
  if (!config.DATABASE_URL) {
    throw new ConfigError(['DATABASE_URL is not set. (npm start seals its own database anew by itself.)']);
  }
  const configured = await configuredKey(config);
  const database = openDatabase(config.DATABASE_URL);
  try {
    const key = await agreeOnSecretKey({ prisma: database.prisma, log: makeLog('silent') }, configured);
    const count = await reseal(database.prisma, key);
    console.log(
      `${count} secrets were sealed anew; the database knows the key ${key.fingerprint}. ` +
        'LOGFERRY_SECRET_KEY_PREVIOUS is needed only for links and tokens that were given out before, and not after they expired.',
    );
  } finally {
    await database.close();
  }
}

await main().catch(failStart);
