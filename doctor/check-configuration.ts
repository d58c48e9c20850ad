import { type Config, memoryMib } from '../core/config.ts';
import { storageEngineOf } from '../core/engines.ts';
import type { Finding } from '../core/findings.ts';
import { webhookGuard } from '../core/webhooks/webhook-address.ts';
import { reachOf } from './reach.ts';

const about = 'configuration';
const warning = (text: string, remedy: string): Finding => ({ level: 'warning', about, text, remedy });

/**
 * What can be read and is hardly meant, or works on one machine and not on several. Asks nobody.
 * @param hasSecretKey whether there is one, in the environment or in LOGFERRY_DATA
 */
export async function checkConfiguration(config: Config, hasSecretKey: boolean): Promise<Finding[]> {
  return [
    ...config.warnings.map((text) => warning(text, 'Rename it where it is set.')),
    ...publicUrlFindings(config),
    ...regionFindings(config),
    ...storageFindings(config),
    ...keyFindings(config, hasSecretKey),
    ...(await limitFindings(config)),
  ];
}

/** Whether other machines take part: then what is right for one alone is wrong. */
const isSpread = ({ DATABASE_URL, QUEUE_URL }: Config): boolean =>
  [DATABASE_URL, QUEUE_URL].some((url) => url !== undefined && reachOf(new URL(url).hostname) !== 'machine');

function publicUrlFindings(config: Config): Finding[] {
  const { publicUrl, HOST } = config;
  const { protocol, hostname } = new URL(publicUrl);
  const reach = reachOf(hostname);
  if (reach === 'world' && protocol === 'http:') {
    const remedy = 'Have a proxy serve it by https, and set PUBLIC_URL to that.';
    return [warning(`PUBLIC_URL is ${publicUrl}: keys and events would be sent unencrypted`, remedy)];
  }
  const remedy = 'Set PUBLIC_URL to the address by which clients reach the API.';
  if (reach === 'everywhere')
    return [warning(`Links point to ${publicUrl}, which is not an address that clients can use`, remedy)];
  if (reach === 'machine' && (isSpread(config) || reachOf(HOST) !== 'machine')) {
    return [warning(`Links point to ${publicUrl}, which works on this machine only`, remedy)];
  }
  return [{ level: 'ok', about, text: `links point to ${publicUrl}` }];
}

function regionFindings({ LOGFERRY_REGION: region, LOGFERRY_REGIONS: regions, publicUrl }: Config): Finding[] {
  const listed = regions[region]?.replace(/\/+$/, '');
  if (listed === undefined || listed === publicUrl) return [];
  const remedy = 'Let both name the same address.';
  return [
    warning(`LOGFERRY_REGIONS has ${listed} for this region (${region}), and PUBLIC_URL is ${publicUrl}`, remedy),
  ];
}

function storageFindings(config: Config): Finding[] {
  const { S3_ENDPOINT, S3_PUBLIC_ENDPOINT, publicUrl } = config;
  if (storageEngineOf(config) === 'file' && isSpread(config)) {
    const remedy = 'Use s3://, or a directory that all machines with an API or a worker share.';
    return [warning('Files are kept in a directory, while the database or the queue is on another machine', remedy)];
  }
  const linksTo = S3_PUBLIC_ENDPOINT ?? S3_ENDPOINT;
  const isInner = linksTo !== undefined && reachOf(new URL(linksTo).hostname) !== 'world';
  if (storageEngineOf(config) !== 's3' || !isInner || reachOf(new URL(publicUrl).hostname) !== 'world') return [];
  const remedy = 'Set S3_PUBLIC_ENDPOINT to where clients reach the storage.';
  return [warning(`Download links point to ${linksTo}, which clients of ${publicUrl} probably cannot reach`, remedy)];
}

/** docs/configuration.md asks for as many. */
const leastAdminKey = 16;

function keyFindings(config: Config, hasSecretKey: boolean): Finding[] {
  const findings: Finding[] = [];
  if (!hasSecretKey && config.DATABASE_URL !== undefined) {
    const text = 'LOGFERRY_SECRET_KEY is not set: "npm run api" and "npm run worker" refuse to start';
    const remedy =
      'Make a key (openssl rand -base64 32), set the same for every process, and keep a copy. ("npm start" makes one by itself.)';
    findings.push({ level: 'failure', about, text, remedy });
  } else if (!config.LOGFERRY_SECRET_KEY && isSpread(config)) {
    const text = 'LOGFERRY_SECRET_KEY is not set: processes on other machines do not have the key of this one';
    findings.push(warning(text, 'Set it to the key in the file secret-key of LOGFERRY_DATA, for all of them.'));
  }
  const length = config.LOGFERRY_ADMIN_KEY?.length ?? leastAdminKey;
  if (length < leastAdminKey) {
    findings.push(warning(`LOGFERRY_ADMIN_KEY has ${length} characters: it can be guessed`, 'openssl rand -hex 24'));
  }
  return findings;
}

async function limitFindings(config: Config): Promise<Finding[]> {
  const findings: Finding[] = [];
  if (config.LOGFERRY_RATE_LIMIT === 0) {
    const text = 'LOGFERRY_RATE_LIMIT is 0: keys may be guessed, and one client may take all';
    findings.push(warning(text, 'Set a limit, unless a proxy has one.'));
  }
  // Where clouds give the machine's own credentials to whoever asks.
  const target = { protocol: 'http:', hostname: '169.254.169.254' };
  const isOpen = await webhookGuard({ allow: config.LOGFERRY_WEBHOOK_ALLOW })
    .addressesOf(target)
    .then(
      () => true,
      () => false,
    );
  if (isOpen) {
    const text = 'LOGFERRY_WEBHOOK_ALLOW opens 169.254.169.254: tenants may ask for the credentials of this machine';
    findings.push(warning(text, 'Open the addresses that are needed, and no others.'));
  }
  return [...findings, ...memoryFindings(config)];
}

function memoryFindings({ LOGFERRY_EXPORT_CONCURRENCY: exports }: Config): Finding[] {
  const needed = memoryMib.process + exports * memoryMib.export;
  if (needed <= memoryMib.there) return [];
  const text = `${exports} exports at a time (LOGFERRY_EXPORT_CONCURRENCY) take up to ${needed} MiB; ${memoryMib.there} MiB are there`;
  return [warning(text, 'Lower it on workers, or give them more memory.')];
}
