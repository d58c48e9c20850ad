import type pg from 'pg';
import type { Finding } from '../../core/findings.ts';
import type { SecretKey } from '../../core/secret-key.ts';

const about = 'log';

/** The key that signs checkpoints and receipts, and whether it can be used. @param secretKey ours, if there is one yet */
export async function inspectSigningKey(
  client: pg.Client,
  secretKey: Pick<SecretKey, 'open'> | undefined,
): Promise<Finding[]> {
  const { rows } = await client.query<{ kid: string; private_key: Buffer }>(
    'select kid, private_key from signing_keys where valid_until is null',
  );
  const [active] = rows;
  if (!active) return [{ level: 'ok', about, text: 'there is no signing key; the first process makes one' }];
  if (secretKey && opens(secretKey, active.private_key)) {
    return [{ level: 'ok', about, text: `the signing key ${active.kid} can be used` }];
  }
  const text = `The signing key ${active.kid} cannot be opened with the secret key: no checkpoint and no receipt is signed`;
  const remedy =
    'Set the LOGFERRY_SECRET_KEY of the other processes, or the one before as LOGFERRY_SECRET_KEY_PREVIOUS.';
  return [{ level: 'failure', about, text, remedy }];
}

function opens(secretKey: Pick<SecretKey, 'open'>, sealed: Buffer): boolean {
  try {
    secretKey.open(sealed);
    return true;
  } catch {
    return false;
  }
}

/** Logs that contradict what was shown of them. */
export async function inspectLogs(client: pg.Client): Promise<Finding[]> {
  const { rows } = await client.query<{ tenant_id: string; contradiction: string }>(
    'select tenant_id, contradiction from logs where contradiction is not null order by tenant_id limit 10',
  );
  if (rows.length === 0) return [{ level: 'ok', about, text: 'no log contradicts its checkpoints' }];
  return rows.map(({ tenant_id, contradiction }) => ({
    level: 'warning',
    about,
    text: `The log of the tenant ${tenant_id} contradicts a checkpoint that was shown: ${contradiction}`,
    remedy: 'Restore the newest database; where that is lost, POST /v1/tenants/:id/log/restart begins a new log.',
  }));
}
