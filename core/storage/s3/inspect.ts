import {
  GetBucketLifecycleConfigurationCommand,
  GetBucketVersioningCommand,
  HeadBucketCommand,
} from '@aws-sdk/client-s3';
import type { Finding } from '../../findings.ts';
import type { S3Bucket } from './bucket.ts';
import { check } from './check.ts';
import { answerTo, isAnswer } from './errors.ts';
import { adviseAbortRule, judgeLifecycle } from './lifecycle.ts';
import { tryOut } from './trial.ts';

const about = 'storage';

/** ObjectStore.inspect: all there is to know before the first export, in a few seconds. */
export async function inspect(bucket: S3Bucket): Promise<Finding[]> {
  const { bucket: name, prefix, endpoint } = bucket.options;
  try {
    await check(bucket);
  } catch (error) {
    const { message } = error as Error;
    return [{ level: 'failure', about, text: message, remedy: 'Follow the message, then run the doctor again.' }];
  }
  const region = await bucket.clients.call.config.region();
  const place = `the bucket ${name} (${endpoint ?? 'Amazon S3'}, ${region}, prefix "${prefix}") can be reached`;
  return [
    { level: 'ok', about, text: place },
    ...(await tryOut(bucket)),
    ...(await lookAtLifecycle(bucket)),
    ...(await lookAtVersioning(bucket)),
    ...(await compareClocks(bucket)),
  ];
}

async function lookAtLifecycle({ clients, options }: S3Bucket): Promise<Finding[]> {
  try {
    const command = new GetBucketLifecycleConfigurationCommand({ Bucket: options.bucket });
    const { Rules } = await answerTo(clients.call.send(command));
    return judgeLifecycle(Rules ?? [], options);
  } catch (error) {
    if (isAnswer(error, 'NoSuchLifecycleConfiguration')) return judgeLifecycle([], options);
    return [adviseAbortRule(`the lifecycle rules of the bucket cannot be read (${(error as Error).message})`, options)];
  }
}

async function lookAtVersioning({ clients, options }: S3Bucket): Promise<Finding[]> {
  try {
    const command = new GetBucketVersioningCommand({ Bucket: options.bucket });
    const { Status } = await answerTo(clients.call.send(command));
    if (!Status) return [{ level: 'ok', about, text: 'the bucket keeps no versions' }];
    return [{ level: 'ok', about, text: `the bucket keeps versions of files: ${Status}` }];
  } catch (error) {
    const remedy = 'Allow s3:GetBucketVersioning to know whether the bucket keeps what is deleted.';
    const text = `whether the bucket keeps versions cannot be read (${(error as Error).message})`;
    return [{ level: 'warning', about, text, remedy }];
  }
}

/** Amazon refuses what is signed 15 minutes beside its clock. The SDK then corrects itself, once it has been refused. */
const skewSeconds = { warning: 60, failure: 15 * 60 };

async function compareClocks(bucket: S3Bucket): Promise<Finding[]> {
  const began = Date.now();
  const date = await serverDate(bucket);
  if (date === undefined) return [];
  const skew = Math.round(((began + Date.now()) / 2 - date.getTime()) / 1000);
  const text = `the clock of this machine is ${Math.abs(skew)} s ${skew < 0 ? 'behind' : 'ahead of'} that of the storage`;
  if (Math.abs(skew) <= skewSeconds.warning) return [{ level: 'ok', about, text }];
  const level = Math.abs(skew) <= skewSeconds.failure ? 'warning' : 'failure';
  return [
    {
      level,
      about,
      text,
      remedy: 'Synchronize it (NTP): links expire too early or too late, and beyond 15 minutes calls are rejected.',
    },
  ];
}

/** The Date header of an answer, which no output of the SDK has. */
async function serverDate({ clients, options }: S3Bucket): Promise<Date | undefined> {
  let date: string | undefined;
  const command = new HeadBucketCommand({ Bucket: options.bucket });
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      date = (result.response as { headers?: Record<string, string> }).headers?.date;
      return result;
    },
    { step: 'deserialize', priority: 'low', name: 'readDate' },
  );
  await answerTo(clients.call.send(command)).catch(() => {});
  return date === undefined || Number.isNaN(Date.parse(date)) ? undefined : new Date(date);
}
