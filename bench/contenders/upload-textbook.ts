import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { S3Client } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import type { Options } from 'csv-stringify';
import type { S3Service } from '../../local/services/find-s3.ts';
import type { Sample } from '../rounds.ts';

/** What a textbook contender is to export, and where to. */
export type TextbookJob = {
  databaseUrl: string;
  tenantId: string;
  throughRow: number;
  s3: S3Service;
  bucket: string;
};

const partBytes = 8 * 1024 * 1024;
const partsInFlight = 3;

/**
 * Leads streams into an object, in parts of the size that Logferry has. It is removed again.
 * @returns its size as `bytes`
 */
export async function upload(
  { s3, bucket }: TextbookJob,
  streams: [NodeJS.ReadableStream, ...NodeJS.ReadWriteStream[]],
): Promise<Sample> {
  const { endpoint, region, accessKeyId, secretAccessKey } = s3;
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  let bytes = 0;
  const body = new PassThrough().on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  const params = { Bucket: bucket, Key: `textbook-${process.pid}`, Body: body };
  const sending = new Upload({ client, params, partSize: partBytes, queueSize: partsInFlight });
  await Promise.all([sending.done(), pipeline([...streams, body])]);
  client.destroy();
  return { bytes };
}

/** CSV as Logferry has it by default. */
export const csvOptions = (columns: object): Options =>
  ({
    header: true,
    columns: Object.keys(columns),
    record_delimiter: '\r\n',
    quote_record_delimiter: true,
  }) as Options;
