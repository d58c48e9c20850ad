import { ListObjectVersionsCommand, PutBucketVersioningCommand } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeClients } from '../../../../core/storage/s3/client.ts';
import { deleteObject } from '../../../../core/storage/s3/removal.ts';
import { s3Service } from '../../../services/services.ts';
import { type DisturbedStore, openDisturbedStore } from '../open-disturbed-store.ts';

const s3 = await s3Service();

describe.skipIf('missing' in s3)('Deleting an object of S3', () => {
  let disturbed: DisturbedStore;
  let hasVersions: boolean;
  beforeAll(async () => {
    if ('missing' in s3) return;
    disturbed = await openDisturbedStore(s3);
    hasVersions = await keepVersions();
  });
  afterEach(() => disturbed?.proxy.calm());
  afterAll(() => disturbed?.close());

  /** False on a server that cannot. */
  const keepVersions = async () => {
    const { bucket, client } = disturbed.opened;
    const VersioningConfiguration = { Status: 'Enabled' } as const;
    return client.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration })).then(
      () => true,
      (error) => {
        if (error.$metadata?.httpStatusCode === 501) return false;
        throw error;
      },
    );
  };
  const store = async (key: string) => {
    const upload = await disturbed.begin(key);
    await disturbed.store.completeUpload(upload, [await disturbed.putText(upload, key)]);
  };
  const versions = async () => {
    const { bucket, client } = disturbed.opened;
    const found = await client.send(new ListObjectVersionsCommand({ Bucket: bucket }));
    return [...(found.Versions ?? []), ...(found.DeleteMarkers ?? [])].map(({ Key }) =>
      Key!.replace('some/prefix/', ''),
    );
  };

  it('leaves no version of it, and every one of its neighbours', async () => {
    for (const key of ['file', 'file', 'file.gz', 'filed']) {
      await store(key);
      if (key === 'file') await disturbed.opened.open().deleteObject('file');
    }
    await store('file');
    await disturbed.store.deleteObject('file');
    expect(await disturbed.store.statObject('file')).toBeUndefined();
    expect([...new Set(await versions())].sort()).toEqual(['file.gz', 'filed']);
    for (const key of ['file.gz', 'filed']) await disturbed.store.deleteObject(key);
    expect(await versions()).toEqual([]);
  });

  it('leaves no marker of one that was never there', async () => {
    await disturbed.store.deleteObject('never');
    expect(await versions()).toEqual([]);
  });

  it('hides it where old versions may not be looked at, and removes them once they may', async (context) => {
    context.skip(!hasVersions, 'this server keeps no versions');
    await store('kept');
    disturbed.proxy.disturb('list versions', { what: 'answer', status: 403, code: 'AccessDenied' });
    await disturbed.store.deleteObject('kept');
    expect(await disturbed.store.statObject('kept')).toBeUndefined();
    expect(await versions()).toEqual(['kept', 'kept']);
    await disturbed.store.deleteObject('kept');
    expect(await versions()).toEqual([]);
  });

  it('finds versions page after page', async (context) => {
    context.skip(!hasVersions, 'this server keeps no versions');
    const { opened, proxy } = disturbed;
    for (let version = 0; version < 3; version++) {
      proxy.disturb('list versions', { what: 'answer', status: 403, code: 'AccessDenied' });
      await store('many');
      await disturbed.store.deleteObject('many');
    }
    expect(await versions()).toHaveLength(6);
    const clients = makeClients(opened.options);
    expect(await deleteObject({ clients, options: opened.options }, 'many', 2)).toBe('deleted');
    clients.close();
    expect(await versions()).toEqual([]);
  });

  it('is tried again when the server does not answer', async () => {
    await store('slow');
    disturbed.proxy.disturb('delete', { what: 'lose reply' });
    await disturbed.store.deleteObject('slow');
    expect(await versions()).toEqual([]);
  });
});
