import { randomUUID } from 'node:crypto';
import { ListPartsCommand, type Part } from '@aws-sdk/client-s3';
import type { ObjectStore, PartReceipt, Upload } from '../../../core/storage/object-store.ts';
import type { S3Service } from '../../../local/services/find-s3.ts';
import { type DisturbingProxy, startDisturbingProxy } from '../../disturbing-proxy.ts';
import { openTestStore, type TestStore } from './open-test-store.ts';

/** A store whose server is behind a proxy that can be told to disturb it, and the same one past the proxy. */
export type DisturbedStore = {
  opened: TestStore;
  proxy: DisturbingProxy;
  store: ObjectStore;
  begin(key?: string): Promise<Upload>;
  putText(upload: Upload, text: string): Promise<PartReceipt>;
  /** What the server has of an upload, past the proxy. @throws NoSuchUpload */
  partsOf(upload: Upload): Promise<Part[]>;
  close(): Promise<void>;
};

export async function openDisturbedStore(service: S3Service): Promise<DisturbedStore> {
  const proxy = await startDisturbingProxy(service.endpoint);
  const opened = await openTestStore(service);
  const store = opened.open({ endpoint: proxy.url });
  return {
    opened,
    proxy,
    store,
    begin: (key = `exports/${randomUUID()}`) => store.beginUpload(key, 'text/csv'),
    putText: (upload, text) => store.putPart(upload, { partNumber: 1, offset: 0, body: [Buffer.from(text)] }),
    async partsOf({ key, uploadId }) {
      const place = { Bucket: opened.bucket, Key: opened.options.prefix + key };
      const { Parts } = await opened.client.send(new ListPartsCommand({ ...place, UploadId: uploadId }));
      return Parts ?? [];
    },
    async close() {
      await opened.close();
      await proxy.close();
    },
  };
}

/** How long it takes until a call that its signal ends has ended. @throws if it succeeds */
export async function timeToEnd(
  call: (signal: AbortSignal) => Promise<unknown>,
  reached: Promise<void>,
): Promise<number> {
  const abort = new AbortController();
  const called = call(abort.signal).then(
    () => undefined,
    (error: unknown) => error,
  );
  await reached;
  const before = performance.now();
  const reason = new Error('ended by its signal');
  abort.abort(reason);
  const error = await called;
  if (error !== reason) throw new Error('The call did not end by its signal', { cause: error });
  return performance.now() - before;
}
