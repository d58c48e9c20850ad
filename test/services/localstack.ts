import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { findFreePort } from '../../local/free-port.ts';
import { type OwnProcess, startOwnProcess } from './own-process.ts';

/** The last version whose package runs on Python 3.10 and 3.11. scripts/install-test-services.sh installs it. */
const version = '4.13.1';

/** The Python that has LocalStack: LOCALSTACK_PYTHON, or the one that scripts/install-test-services.sh has made. */
export function findLocalStack(environment = process.env): { python: string } | { missing: string } {
  const { LOCALSTACK_PYTHON: given, TEST_SERVICES_CACHE, XDG_CACHE_HOME } = environment;
  const cache = TEST_SERVICES_CACHE || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'logferry');
  const python = given || join(cache, `localstack-${version}`, 'bin', 'python');
  if (existsSync(python)) return { python };
  return {
    missing: given
      ? `LOCALSTACK_PYTHON names ${given}, which is not there`
      : 'LocalStack is not installed: run `npm run install:services`, start a Docker engine, or set S3_TEST_ENDPOINT',
  };
}

/** LocalStack's S3 as a process, ready in 10 to 30 seconds. It checks the signatures of links. */
export async function startLocalStack(python: string): Promise<OwnProcess & { endpoint: string }> {
  const port = await findFreePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const server = await startOwnProcess({
    name: 'localstack',
    program: python,
    args: () => ['-m', 'localstack.runtime.main'],
    environment: (directory) => ({
      ...localStackSettings,
      GATEWAY_LISTEN: `127.0.0.1:${port}`,
      FILESYSTEM_ROOT: join(directory, 'root'),
    }),
    isReady: () => isLocalStackReady(endpoint),
    deadlineMs: 120_000,
  });
  return { ...server, endpoint };
}

/** S3 alone, started at once, without a look at the Internet. */
export const localStackSettings = {
  SERVICES: 's3',
  EAGER_SERVICE_LOADING: '1',
  S3_SKIP_SIGNATURE_VALIDATION: '0',
  SKIP_SSL_CERT_DOWNLOAD: '1',
  DISABLE_EVENTS: '1',
  DNS_ADDRESS: '0',
};

export async function isLocalStackReady(endpoint: string): Promise<boolean> {
  const reply = await fetch(`${endpoint}/_localstack/health`, { signal: AbortSignal.timeout(2000) });
  const { services } = (await reply.json()) as { services?: Record<string, string> };
  return services?.s3 === 'running';
}
