import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const sources = join(import.meta.dirname, 'verify-log');

/**
 * Where scripts/install-test-services.sh has built the verifier of logs (test/clients/verify-log); undefined where it has not,
 * as without Go.
 * @throws Error if it is not there and REQUIRE_SERVICES is set
 */
export function findVerifier(): string | undefined {
  const { TEST_SERVICES_CACHE, XDG_CACHE_HOME, REQUIRE_SERVICES } = process.env;
  const cache = TEST_SERVICES_CACHE || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'logferry');
  const hash = createHash('sha256');
  for (const file of ['go.mod', 'main.go']) hash.update(readFileSync(join(sources, file)));
  const place = join(cache, `verify-log-${hash.digest('hex').slice(0, 12)}`);
  if (existsSync(place)) return place;
  if (REQUIRE_SERVICES) throw new Error(`The verifier of logs is required, and not in ${place}`);
  return undefined;
}
