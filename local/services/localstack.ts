import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { findFreePort } from '../free-port.ts';
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

/** What docker-compose.yml has LocalStack run when it is ready, and where: it makes the bucket that BUCKET names. */
export const initHook = join(import.meta.dirname, '../../scripts/make-bucket.py');
export const initDirectory = '/etc/localstack/init/ready.d';

/** LocalStack's S3 as a process, ready in 10 to 30 seconds. It checks the signatures of links. */
export async function startLocalStack(python: string): Promise<OwnProcess & { endpoint: string }> {
  const port = await findFreePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const server = await startOwnProcess({
    name: 'localstack',
    program: python,
    prepare(directory) {
      const place = join(directory, 'root', initDirectory);
      mkdirSync(place, { recursive: true });
      copyFileSync(initHook, join(place, basename(initHook)));
    },
    args: () => ['-m', 'localstack.runtime.main'],
    environment: (directory) => ({
      ...localStackSettings,
      BUCKET: 'logferry',
      GATEWAY_LISTEN: `127.0.0.1:${port}`,
      // Also where the tests themselves run in a container, which it would else take for its own.
      OVERRIDE_IN_DOCKER: '0',
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
  if (services?.s3 !== 'running') return false;
  const hooks = await fetch(`${endpoint}/_localstack/init/ready`, { signal: AbortSignal.timeout(2000) });
  return ((await hooks.json()) as { completed: boolean }).completed;
}
