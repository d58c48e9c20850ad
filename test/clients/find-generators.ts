import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * Where scripts/install-test-services.sh has installed the generators of clients; undefined where it has not.
 * @throws Error if they are not there and REQUIRE_SERVICES is set
 */
export function findGenerators(): string | undefined {
  const { TEST_SERVICES_CACHE, XDG_CACHE_HOME, REQUIRE_SERVICES } = process.env;
  const cache = TEST_SERVICES_CACHE || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'logferry');
  const version = execFileSync(process.execPath, [join(import.meta.dirname, 'generators', 'version.mjs')], {
    encoding: 'utf8',
  });
  const place = join(cache, `generators-${version.trim()}`);
  if (existsSync(place)) return place;
  if (REQUIRE_SERVICES) throw new Error(`Generators of clients are required, and not in ${place}`);
  return undefined;
}
