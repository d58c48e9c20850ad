import type pg from 'pg';
import type { Finding } from '../../core/findings.ts';
import type { SecretKey } from '../../core/secret-key.ts';
import { MigrationError, migrationState } from '../migrate.ts';
import { fingerprintName } from '../secret-key/fingerprint-setting.ts';

const about = 'database';

/** Whether the tables are those of this version. Gives nothing but failures while they are not. */
export async function inspectMigrations(client: pg.Client): Promise<Finding[]> {
  try {
    const { pending, applied } = await migrationState(client);
    if (pending.length === 0) {
      return [{ level: 'ok', about, text: `all ${applied} migrations are applied` }];
    }
    const text = applied === 0 ? 'There are no tables yet' : `Migrations are not applied: ${pending.join(', ')}`;
    return [...(await canCreate(client)), { level: 'failure', about, text, remedy: 'Run "npm run migrate".' }];
  } catch (error) {
    if (!(error instanceof MigrationError)) throw error;
    return [{ level: 'failure', about, text: error.message, remedy: 'Follow the message, then run the doctor again.' }];
  }
}

async function canCreate(client: pg.Client): Promise<Finding[]> {
  const { rows } = await client.query<{ role: string; schema: string | null; may: boolean }>(
    `select current_user as role, current_schema() as schema,
       coalesce(has_schema_privilege(current_schema(), 'create'), false)
       and has_database_privilege(current_database(), 'create') as may`,
  );
  const { role, schema, may } = rows[0]!;
  if (may) return [];
  const text = `The role ${role} may not create tables in the schema ${schema ?? '(none)'}, or not create schemas`;
  return [{ level: 'failure', about, text, remedy: `Make it the owner: alter database … owner to ${role}.` }];
}

/** Whether our role owns its tables, as migrations run by it, and may work with them. */
export async function inspectOwnership(client: pg.Client): Promise<Finding[]> {
  const { rows } = await client.query<{ role: string; foreign: string[] | null; closed: string[] | null }>(
    `select current_user as role,
       array_agg(relname::text order by relname) filter (where not pg_has_role(relowner, 'usage')) as foreign,
       array_agg(relname::text order by relname) filter (where not (has_table_privilege(oid, 'select')
         and has_table_privilege(oid, 'insert') and has_table_privilege(oid, 'update')
         and has_table_privilege(oid, 'delete'))) as closed
     from pg_class where relkind in ('r', 'p') and relnamespace = current_schema()::regnamespace`,
  );
  const { role, foreign, closed } = rows[0]!;
  if (closed) {
    const text = `The role ${role} may not read and write ${closed.join(', ')}`;
    return [{ level: 'failure', about, text, remedy: `Make it their owner: alter table … owner to ${role}.` }];
  }
  if (!foreign) return [{ level: 'ok', about, text: `the role ${role} owns the tables` }];
  const text = `The role ${role} does not own ${foreign.join(', ')}: migrations that change them would fail`;
  return [{ level: 'warning', about, text, remedy: `Make it their owner: alter table … owner to ${role}.` }];
}

/** @param key ours, if there is one yet */
export async function inspectSecretKey(client: pg.Client, key: SecretKey | undefined): Promise<Finding[]> {
  const { rows } = await client.query<{ value: string }>('select value from settings where name = $1', [
    fingerprintName,
  ]);
  const known = rows[0]?.value;
  if (known === undefined)
    return [{ level: 'ok', about, text: 'no secret key is registered; the first process registers its own' }];
  if (known === key?.fingerprint) return [{ level: 'ok', about, text: 'the secret key is the registered one' }];
  if (key?.previous.some(({ fingerprint }) => fingerprint === known)) {
    const text = 'Secrets are sealed with a key of LOGFERRY_SECRET_KEY_PREVIOUS';
    return [{ level: 'warning', about, text, remedy: 'Run "npm run reseal".' }];
  }
  const ours = key === undefined ? 'none is set here' : `the one here has ${key.fingerprint}`;
  const text = `It was used with a secret key of the fingerprint ${known}; ${ours}`;
  const remedy =
    'Set LOGFERRY_SECRET_KEY of the other processes, or take the file secret-key from their LOGFERRY_DATA. A key before it goes into LOGFERRY_SECRET_KEY_PREVIOUS.';
  return [{ level: 'failure', about, text, remedy }];
}

/** Whether anybody can call as management: by the key of the configuration, or by one that was made with it. */
export async function inspectManagementKeys(client: pg.Client, isConfigured: boolean): Promise<Finding[]> {
  if (isConfigured) return [{ level: 'ok', about: 'configuration', text: 'LOGFERRY_ADMIN_KEY is set' }];
  const { rows } = await client.query<{ count: number }>(
    `select count(*)::int as count from api_keys
     where tenant_id is null and revoked_at is null and coalesce(expires_at > now(), true)`,
  );
  if (rows[0]!.count > 0) {
    return [
      { level: 'ok', about, text: `LOGFERRY_ADMIN_KEY is not set; the database has ${rows[0]!.count} management keys` },
    ];
  }
  const text = 'LOGFERRY_ADMIN_KEY is not set, and the database has no management key: nobody can create tenants';
  return [{ level: 'warning', about, text, remedy: 'Set LOGFERRY_ADMIN_KEY. ("npm start" makes one by itself.)' }];
}
