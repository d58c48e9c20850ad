import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import type { S3Options } from './options.ts';
import { retryStrategy } from './retries.ts';

/** How often a call is made at most, by what it is for. Between the first and the fifth time some three seconds go by. */
const attempts = { check: 1, call: 5, data: 5, completion: 5 };
type Purpose = keyof typeof attempts;

/** One client for each purpose, and `links` for signing, which calls nobody. */
export type S3Clients = Record<Purpose | 'links', S3Client> & { close(): void };

const connectTimeoutMs = 5_000;

/**
 * Makes the clients; nothing is connected before the first call. They share their connections and their credentials,
 * which come from wherever the AWS SDK looks for them: the environment, a profile, a role of the machine or container.
 */
export function makeClients(options: S3Options): S3Clients {
  // No limit here: a call that waits for a connection would run into connectTimeoutMs. Callers bound what is under way.
  const connections = {
    keepAlive: true,
    maxSockets: Number.POSITIVE_INFINITY,
    maxFreeSockets: options.keptConnections,
  };
  const agents = { httpAgent: new HttpAgent(connections), httpsAgent: new HttpsAgent(connections) };
  const shared: S3ClientConfig = {
    endpoint: options.endpoint,
    region: regionOf(options),
    forcePathStyle: options.forcePathStyle,
    // Or the SDK would add checksums of its own, which some servers refuse and which would stand in links.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // The SDK can wait for "100 Continue" only on a connection that is closed after each part.
    expectContinueHeader: false,
  };
  const client = (purpose: Purpose, further: S3ClientConfig = {}) =>
    naming(
      new S3Client({
        ...shared,
        maxAttempts: attempts[purpose],
        retryStrategy: retryStrategy(attempts[purpose]),
        requestHandler: { ...agents, connectionTimeout: connectTimeoutMs, socketTimeout: options.idleMs[purpose] },
        ...further,
      }),
      options.expectedBucketOwner,
    );
  const call = client('call');
  const { credentials } = call.config;
  return {
    call,
    check: client('check', { credentials }),
    data: client('data', { credentials }),
    completion: client('completion', { credentials }),
    links: client('call', { credentials, endpoint: options.publicEndpoint ?? options.endpoint }),
    close: () => {
      agents.httpAgent.destroy();
      agents.httpsAgent.destroy();
    },
  };
}

/** S3_REGION, or what the SDK finds (AWS_REGION, the profile), or the region that servers without regions answer to. */
function regionOf({ region }: S3Options): () => Promise<string> {
  let found: Promise<string> | undefined;
  const find = () => region ?? new S3Client({}).config.region().catch(() => 'us-east-1');
  return async () => {
    found ??= Promise.resolve(find());
    return found;
  };
}

/** Names the account that must own the bucket, in every call and link there is: S3 refuses those for another's bucket. */
function naming(client: S3Client, owner: string | undefined): S3Client {
  if (owner === undefined) return client;
  client.middlewareStack.add(
    (next) => (args) => next({ ...args, input: { ...args.input, ExpectedBucketOwner: owner } as typeof args.input }),
    { step: 'initialize', name: 'expectedBucketOwner' },
  );
  return client;
}
