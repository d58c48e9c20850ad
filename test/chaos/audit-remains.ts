import { ListMultipartUploadsCommand, ListObjectsV2Command, type ListObjectsV2CommandOutput } from '@aws-sdk/client-s3';
import { readConfig } from '../../core/config.ts';
import { openDeployment } from '../../prisma/deployment.ts';
import { checkpointKey } from '../../prisma/log/kept-checkpoint.ts';
import { sweep } from '../../worker/sweep/sweep.ts';
import type { Audit, Evidence } from './evidence.ts';

/**
 * The bucket holds one object for each completed export, the checkpoints of logs and nothing else, and after one sweep no upload. To be called when no
 * worker runs any more.
 */
export const auditRemains: Audit = async (evidence) => [
  ...(await auditObjects(evidence)),
  ...(await auditUploads(evidence)),
];

async function auditObjects({ fleet }: Evidence): Promise<string[]> {
  const { rows } = await fleet.pool.query<{ key: string }>(
    `select storage_key as key from exports where status = 'completed'`,
  );
  const wanted = new Set(rows.map(({ key }) => key));
  // Of a log that was sealed or exported there is its greatest checkpoint, too.
  const tenants = await fleet.pool.query<{ id: string }>('select id from tenants');
  const checkpoints = new Set(tenants.rows.map(({ id }) => checkpointKey(id)));
  const found = new Set((await keysIn(fleet.bucket)).filter((key) => !checkpoints.has(key)));
  return [
    ...[...wanted].filter((key) => !found.has(key)).map((key) => `there is no object ${key}`),
    ...[...found].filter((key) => !wanted.has(key)).map((key) => `${key} is the file of no completed export`),
  ];
}

async function keysIn({ client, name }: Evidence['fleet']['bucket']): Promise<string[]> {
  const keys: string[] = [];
  for (let token: string | undefined, isMore = true; isMore; ) {
    const command = new ListObjectsV2Command({ Bucket: name, ContinuationToken: token });
    const page: ListObjectsV2CommandOutput = await client.send(command);
    keys.push(...(page.Contents ?? []).map(({ Key }) => Key!));
    token = page.NextContinuationToken;
    isMore = token !== undefined;
  }
  return keys;
}

async function auditUploads({ fleet }: Evidence): Promise<string[]> {
  const { environment, bucket } = fleet;
  // The SDK finds them nowhere else.
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: environment.AWS_ACCESS_KEY_ID,
    AWS_SECRET_ACCESS_KEY: environment.AWS_SECRET_ACCESS_KEY,
  });
  const deployment = await openDeployment(readConfig({ ...environment, LOGFERRY_LOG_LEVEL: 'error' }));
  try {
    await sweep(deployment);
  } finally {
    await deployment.close();
  }
  const { Uploads = [] } = await bucket.client.send(new ListMultipartUploadsCommand({ Bucket: bucket.name }));
  return Uploads.map(({ Key }) => `an upload of ${Key} is left after a sweep`);
}
