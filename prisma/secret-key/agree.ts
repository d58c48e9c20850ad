import { ConfigError } from '../../core/config.ts';
import type { Log } from '../../core/log.ts';
import type { SecretKey } from '../../core/secret-key.ts';
import type { Prisma } from '../client.ts';
import { fingerprintName } from './fingerprint-setting.ts';

/** The setting that keeps SecretKey.environmentId: the first key makes it, and it outlives that key. */
const environmentName = 'environment_id';

/**
 * Finds out whether the database was used with this key, or with one before it. With any other key nothing that was sealed
 * could be opened, and every link given out would break: so it is refused.
 * @returns the key, with the `environmentId` that this installation has had from the first
 * @throws ConfigError
 */
export async function agreeOnSecretKey(deps: { prisma: Prisma; log: Log }, key: SecretKey): Promise<SecretKey> {
  const known = await settled(deps.prisma, fingerprintName, key.fingerprint);
  const former = key.previous.find(({ fingerprint }) => fingerprint === known);
  if (known !== key.fingerprint && !former) throw unknownKey(key, known);
  if (former) deps.log.warn('secrets are sealed with a key of LOGFERRY_SECRET_KEY_PREVIOUS: run "npm run reseal"');
  // Of a database that has no such setting yet the known key is the first.
  const environmentId = await settled(deps.prisma, environmentName, (former ?? key).environmentId);
  return { ...key, environmentId };
}

/** What the setting says; `value` unless it said something before. */
async function settled(prisma: Prisma, name: string, value: string): Promise<string> {
  await prisma.setting.createMany({ data: [{ name, value }], skipDuplicates: true });
  return (await prisma.setting.findUniqueOrThrow({ where: { name } })).value;
}

const unknownKey = ({ fingerprint, previous }: SecretKey, known: string): ConfigError =>
  new ConfigError([
    `LOGFERRY_SECRET_KEY is not the one this database was used with (fingerprint ${fingerprint}, the database knows ${known})` +
      `${previous.length === 0 ? '' : ', and LOGFERRY_SECRET_KEY_PREVIOUS does not have it'}. ` +
      'Set the key of the other processes, or the secret-key file in their LOGFERRY_DATA. To change the key, set the new one as ' +
      'LOGFERRY_SECRET_KEY and the old one as LOGFERRY_SECRET_KEY_PREVIOUS, and run "npm run reseal".',
  ]);
