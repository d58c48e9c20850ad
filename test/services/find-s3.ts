import { type Docker, findDocker } from './docker.ts';
import {
  findLocalStack,
  initDirectory,
  initHook,
  isLocalStackReady,
  localStackSettings,
  startLocalStack,
} from './localstack.ts';

export type Missing = { missing: string };
export type S3Service = { endpoint: string; region: string; accessKeyId: string; secretAccessKey: string };
export type Stop = () => Promise<void>;

/** S3_TEST_ENDPOINT, else LocalStack: in Docker, or as a process here. What was started is ended by what is put on `stops`. */
export async function findS3(stops: Stop[]): Promise<S3Service | Missing> {
  const { S3_TEST_ENDPOINT, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = process.env;
  if (S3_TEST_ENDPOINT) {
    return {
      endpoint: S3_TEST_ENDPOINT,
      region: AWS_REGION ?? 'us-east-1',
      accessKeyId: AWS_ACCESS_KEY_ID ?? 'test',
      secretAccessKey: AWS_SECRET_ACCESS_KEY ?? 'test',
    };
  }
  const docker = await findDocker();
  const found = docker ? undefined : findLocalStack();
  if (found && 'missing' in found) return found;
  const localStack = found ? await startLocalStack(found.python) : await startInDocker(docker!);
  stops.push(localStack.stop);
  return { endpoint: localStack.endpoint, region: 'us-east-1', accessKeyId: 'test', secretAccessKey: 'test' };
}

async function startInDocker(docker: Docker): Promise<{ endpoint: string; stop: Stop }> {
  const { address, stop } = await docker.run({
    service: 'localstack',
    port: 4566,
    environment: { ...localStackSettings, BUCKET: 'logferry' },
    files: { [initHook]: `${initDirectory}/make-bucket.py` },
    isReady: (hostPort) => isLocalStackReady(`http://127.0.0.1:${hostPort}`),
  });
  return { endpoint: `http://${address}`, stop };
}
