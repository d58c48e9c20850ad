import { type Docker, tryDocker } from './docker.ts';
import type { Stop } from './find-redis.ts';
import {
  findLocalStack,
  initDirectory,
  initHook,
  isLocalStackReady,
  localStackSettings,
  startLocalStack,
} from './localstack.ts';
import { isMissing, type Missing } from './missing.ts';

export type S3Service = { endpoint: string; region: string; accessKeyId: string; secretAccessKey: string };

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
  const inDocker = await tryDocker((docker) => startInDocker(docker));
  const localStack = isMissing(inDocker) ? await startHere(inDocker) : inDocker;
  if (isMissing(localStack)) return localStack;
  stops.push(localStack.stop);
  return { endpoint: localStack.endpoint, region: 'us-east-1', accessKeyId: 'test', secretAccessKey: 'test' };
}

type Started = { endpoint: string; stop: Stop };

async function startHere(inDocker: Missing): Promise<Started | Missing> {
  const found = findLocalStack();
  if (isMissing(found)) return { missing: `${found.missing} (${inDocker.missing})` };
  return startLocalStack(found.python);
}

async function startInDocker(docker: Docker): Promise<Started> {
  const { address, stop } = await docker.run({
    service: 'localstack',
    port: 4566,
    environment: { ...localStackSettings, BUCKET: 'logferry' },
    files: { [initHook]: `${initDirectory}/make-bucket.py` },
    isReady: (hostPort) => isLocalStackReady(`http://127.0.0.1:${hostPort}`),
  });
  return { endpoint: `http://${address}`, stop };
}
