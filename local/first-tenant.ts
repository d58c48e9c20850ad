import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { scopes } from '../core/access/api-keys.ts';
import { type Caller, callApi, RefusedError } from './call-api.ts';
import type { Local, ShownKey } from './start-local.ts';

const tenantName = 'My company';

/**
 * A tenant's key to begin with. A database without tenants gets the first one here, and a key with every scope, which is kept
 * in LOGFERRY_DATA (readable by the owner alone) for later starts. Undefined when there are tenants and no kept key of theirs.
 */
export async function firstTenantKey({ url, admin: { key: adminKey }, config }: Local): Promise<ShownKey | undefined> {
  const keptIn = resolve(config.LOGFERRY_DATA, 'tenant-key');
  const kept = (await readFile(keptIn, 'utf8').catch(() => '')).trim();
  if (kept && (await isAccepted({ url, key: kept }))) return { key: kept, isNew: false, keptIn };
  const admin = { url, key: adminKey };
  const { data: tenants } = await callApi<{ data: unknown[] }>(admin, '/v1/tenants?limit=1');
  if (tenants.length > 0) return undefined;
  const tenant = await callApi<{ id: string }>(admin, '/v1/tenants', { body: { name: tenantName, plan: 'pro' } });
  const body = { name: 'made by npm start', tenant_id: tenant.id, scopes };
  const { key } = await callApi<{ key: string }>(admin, '/v1/api-keys', { body });
  await writeFile(keptIn, `${key}\n`, { mode: 0o600 });
  return { key, isNew: true, keptIn };
}

/** Whether a key is still good: it may have been revoked, or belong to a database that is gone. */
async function isAccepted(caller: Caller): Promise<boolean> {
  try {
    await callApi(caller, '/v1/api-keys?limit=1');
    return true;
  } catch (error) {
    if (error instanceof RefusedError && error.status < 500) return false;
    throw error;
  }
}
