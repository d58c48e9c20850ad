import {
  type LifecycleRule,
  ListObjectVersionsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketVersioningCommand,
} from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { findFreePort } from '../../../../local/free-port.ts';
import { s3Service } from '../../../services/services.ts';
import { type DisturbedStore, openDisturbedStore } from '../open-disturbed-store.ts';

const s3 = await s3Service();

describe.skipIf('missing' in s3)('A look at the S3 storage', () => {
  let disturbed: DisturbedStore;
  let proxy: DisturbedStore['proxy'];
  beforeAll(async () => {
    if ('missing' in s3) return;
    disturbed = await openDisturbedStore(s3);
    proxy = disturbed.proxy;
  });
  afterEach(() => proxy?.calm());
  afterAll(() => disturbed?.close());

  const texts = async (store = disturbed.store) =>
    (await store.inspect()).map(({ level, text, ...rest }) =>
      [level, text, 'remedy' in rest ? rest.remedy : ''].join(': '),
    );
  const set = (Rules: LifecycleRule[]) =>
    disturbed.opened.client.send(
      new PutBucketLifecycleConfigurationCommand({
        Bucket: disturbed.opened.bucket,
        LifecycleConfiguration: { Rules },
      }),
    );
  const abortRule: LifecycleRule = {
    ID: 'unfinished',
    Status: 'Enabled',
    Filter: { Prefix: '' },
    AbortIncompleteMultipartUpload: { DaysAfterInitiation: 3 },
  };

  it('tells that a file was written, read, linked to and deleted, and leaves nothing of it', async () => {
    const { opened } = disturbed;
    const found = await texts();
    expect(found.filter((text) => text.startsWith('failure'))).toEqual([]);
    expect(found).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^ok: the bucket \S+ \(\S+, us-east-1, prefix "some\/prefix\/"\) can be reached/),
        expect.stringMatching(/^ok: a file was uploaded in parts, and a second one with the same name was rejected/),
        expect.stringMatching(/a download link to \S+ works/),
        expect.stringMatching(/^ok: the file was deleted/),
        expect.stringMatching(/^ok: the clock of this machine is \d s/),
      ]),
    );
    const { Versions = [] } = await opened.client.send(new ListObjectVersionsCommand({ Bucket: opened.bucket }));
    expect(Versions).toEqual([]);
    expect(await opened.store.listUploads()).toEqual([]);
  });

  it('waits for a storage that is slow, says so, and leaves nothing there', async () => {
    const { opened } = disturbed;
    for (const call of ['part', 'get'] as const) proxy.disturb(call, { what: 'throttle', bytesPerSecond: 20 }, 10);
    const found = await texts();
    expect(found.filter((text) => text.startsWith('failure'))).toEqual([]);
    expect(found).toContainEqual(expect.stringMatching(/^warning: the storage is slow: .* took \d+ s/));
    const { Versions = [] } = await opened.client.send(new ListObjectVersionsCommand({ Bucket: opened.bucket }));
    expect(Versions).toEqual([]);
    expect(await opened.store.listUploads()).toEqual([]);
  }, 60_000);

  it('warns of a bucket without a rule against unfinished uploads, or of rules it cannot read', async () => {
    expect(await texts()).toContainEqual(
      expect.stringMatching(/^warning: (no lifecycle rule|the lifecycle rules of the bucket cannot be read).*\{"ID"/),
    );
  });

  it('knows the rules of the bucket', async (context) => {
    context.skip(!disturbed.opened.isLocalStack, 'this server may have no lifecycle rules');
    await set([abortRule, { ID: 'tidy', Status: 'Enabled', Filter: { Prefix: 'some/' }, Expiration: { Days: 1 } }]);
    const found = await texts();
    expect(found).toContainEqual(expect.stringMatching(/^ok: the bucket aborts unfinished uploads after 3 days/));
    expect(found).toContainEqual(
      expect.stringMatching(/^warning: the lifecycle rule tidy deletes files before EXPORT_TTL/),
    );
    await set([abortRule]);
    expect((await texts()).filter((text) => /lifecycle rule/.test(text))).toEqual([]);
  });

  it('fails when the bucket cannot be used, with what to remedy', async () => {
    const [finding, ...others] = await disturbed.opened.open({ bucket: 'none-of-this-name' }).inspect();
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ level: 'failure', text: expect.stringContaining('there is none of that name') });
  });

  it('fails when parts may not be stored, and says so', async () => {
    proxy.disturb('part', { what: 'answer', status: 403, code: 'AccessDenied' }, 10);
    expect(await texts()).toContainEqual(expect.stringMatching(/^failure: .*could not be tried out.*s3:PutObject/));
  });

  it('fails when a missing object looks like a forbidden one', async () => {
    proxy.disturb('head', { what: 'answer', status: 403 }, 10);
    expect(await texts()).toContainEqual(expect.stringMatching(/^failure: .*s3:ListBucket/));
  });

  it('warns when links cannot be fetched', async () => {
    const publicEndpoint = `http://127.0.0.1:${await findFreePort()}`;
    expect(await texts(disturbed.opened.open({ publicEndpoint }))).toContainEqual(
      expect.stringMatching(/^warning: a download link to \S+ cannot be fetched from here.*S3_PUBLIC_ENDPOINT/),
    );
  });

  it('warns when links are refused', async () => {
    proxy.disturb('get', { what: 'answer', status: 403, code: 'SignatureDoesNotMatch' });
    const store = disturbed.opened.open({ publicEndpoint: proxy.url });
    expect(await texts(store)).toContainEqual(
      expect.stringMatching(/^warning: a download link to \S+ answered 403 .*SignatureDoesNotMatch/),
    );
  });

  it.each([
    ['warns', 'warning', 300, 'ahead of'],
    ['fails', 'failure', 1800, 'ahead of'],
    ['warns', 'warning', -300, 'behind'],
  ])('%s of a clock that is wrong: %s, %i s', async (_, level, seconds, side) => {
    const Date_ = new Date(Date.now() - seconds * 1000).toUTCString();
    proxy.disturb('head bucket', { what: 'answer', status: 200, headers: { Date: Date_ } }, 10);
    expect(await texts()).toContainEqual(
      expect.stringMatching(
        new RegExp(`^${level}: the clock of this machine is \\d+ s ${side} that of the storage.*NTP`),
      ),
    );
  });

  it('says how files are encrypted, and warns when that is not as it was asked for', async () => {
    const { isLocalStack, open } = disturbed.opened;
    const found = await texts(open({ encryption: 'AES256' }));
    const told = isLocalStack ? /^ok: files are encrypted by the server: AES256/ : /^warning: .* nothing of encryption/;
    expect(found).toContainEqual(expect.stringMatching(told));
  });

  it('warns of a bucket whose old versions cannot be deleted', async (context) => {
    const { opened } = disturbed;
    const VersioningConfiguration = { Status: 'Enabled' } as const;
    const versioning = new PutBucketVersioningCommand({ Bucket: opened.bucket, VersioningConfiguration });
    const can = await opened.client.send(versioning).catch(() => undefined);
    context.skip(!can, 'this server keeps no versions');
    proxy.disturb('list versions', { what: 'answer', status: 403, code: 'AccessDenied' }, 10);
    const found = await texts();
    expect(found).toContainEqual(
      expect.stringMatching(/^warning: .*deleted files stay as old versions.*s3:DeleteObjectVersion/),
    );
    expect(found).toContain('ok: the bucket keeps versions of files: Enabled: ');
  });
});
