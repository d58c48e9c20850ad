import { GetObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { LinkOptions } from '../object-store.ts';
import { placeOf, type S3Bucket } from './bucket.ts';

/** Amazon signs no longer ones (SigV4, query parameter X-Amz-Expires). */
const longestSeconds = 604_800;

/** A link ends with the credentials that signed it; so long before they end no link lives any more. */
const marginSeconds = 30;

/**
 * ObjectStore.signLink: calls nobody, but for credentials that have to be renewed. It may live shorter than asked, when
 * the credentials are those of a role: `expiresAt` is when it really ends.
 */
export async function signLink(
  bucket: S3Bucket,
  key: string,
  { expiresInSeconds, contentType, contentDisposition, method = 'GET' }: LinkOptions,
): Promise<{ url: string; expiresAt: Date }> {
  const { links, call } = bucket.clients;
  const { expiration } = await links.config.credentials();
  const leftSeconds = ((expiration?.getTime() ?? Infinity) - Date.now()) / 1000 - marginSeconds;
  const expiresIn = Math.max(1, Math.floor(Math.min(expiresInSeconds, longestSeconds, leftSeconds)));
  const input = {
    ...placeOf(bucket, key),
    ResponseContentType: contentType,
    ResponseContentDisposition: contentDisposition,
  };
  const command = method === 'GET' ? new GetObjectCommand(input) : new HeadObjectCommand(input);
  // Links are signed in whole seconds, by the clock of S3 as far as calls have shown how ours differs from it.
  const now = Math.floor(Date.now() / 1000) * 1000;
  const signingDate = new Date(now + call.config.systemClockOffset);
  const url = await getSignedUrl(links, command, { expiresIn, signingDate });
  return { url, expiresAt: new Date(now + expiresIn * 1000) };
}
