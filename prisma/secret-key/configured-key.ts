import { type Config, ConfigError } from '../../core/config.ts';
import { readSecret, type SecretKey, secretKey, secretKeyFile } from '../../core/secret-key.ts';

/**
 * The key of the configuration, with those before it. It may also be in a file, where `npm start` keeps it. None is made up
 * here: each machine would make one of its own, and a process with a new disk could not start any more.
 * @throws ConfigError when there is none
 */
export async function configuredKey(config: Config): Promise<SecretKey> {
  const { LOGFERRY_SECRET_KEY, LOGFERRY_SECRET_KEY_PREVIOUS, LOGFERRY_DATA } = config;
  const key = LOGFERRY_SECRET_KEY ?? (await readSecret(LOGFERRY_DATA, secretKeyFile));
  if (key !== undefined) return secretKey(key, LOGFERRY_SECRET_KEY_PREVIOUS);
  throw new ConfigError([
    'LOGFERRY_SECRET_KEY is not set. Make one (openssl rand -base64 32), set the same for every process, and keep a copy: ' +
      'without it, stored webhook secrets cannot be read and download links stop working.',
  ]);
}
