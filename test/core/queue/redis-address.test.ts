import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../core/config.ts';
import { readRedisAddress } from '../../../core/queue/redis-address.ts';

describe('The address of Redis', () => {
  it('is complete with a host alone', () => {
    expect(readRedisAddress('redis://queue.internal')).toEqual({
      host: 'queue.internal',
      port: 6379,
      username: undefined,
      password: undefined,
      database: 0,
      tls: undefined,
      cluster: false,
      keyPrefix: '{logferry}',
    });
  });

  it('has a user, a password with any characters, a port, a database and a prefix', () => {
    expect(readRedisAddress('redis://job%40er:p%40ss%2F%3A%25%20w%C3%B6rd@10.0.0.5:7000/3?prefix=blue')).toMatchObject({
      host: '10.0.0.5',
      port: 7000,
      username: 'job@er',
      password: 'p@ss/:% wörd',
      database: 3,
      keyPrefix: '{blue}',
    });
  });

  it('has a password without a user', () => {
    expect(readRedisAddress('redis://:secret@localhost')).toMatchObject({ username: undefined, password: 'secret' });
  });

  it('is one of IPv6 without its brackets', () => {
    expect(readRedisAddress('rediss://[::1]:6380/0')).toMatchObject({ host: '::1', port: 6380, tls: {} });
  });

  it('names the host to TLS, but no address, which TLS forbids', () => {
    expect(readRedisAddress('rediss://queue.internal').tls).toEqual({ servername: 'queue.internal' });
    expect(readRedisAddress('rediss://10.0.0.5').tls).toEqual({});
  });

  it('is that of a cluster', () => {
    expect(readRedisAddress('rediss://seed:6379?cluster=true&prefix=a.b-c_1')).toMatchObject({
      cluster: true,
      keyPrefix: '{a.b-c_1}',
      tls: { servername: 'seed' },
    });
    expect(readRedisAddress('redis://seed?cluster=false').cluster).toBe(false);
  });

  it.each([
    [
      'redis://host?clutser=true',
      'QUEUE_URL: unknown parameter "clutser", did you mean "cluster"? Allowed: cluster, prefix',
    ],
    ['redis://host?family=6', 'QUEUE_URL: unknown parameter "family". Allowed: cluster, prefix'],
    ['redis://host?cluster=yes', 'QUEUE_URL: cluster must be true or false'],
    ['redis://host/one', 'QUEUE_URL: its path is no number of a database, such as /0'],
    ['redis://host/1/2', 'QUEUE_URL: its path is no number of a database, such as /0'],
    ['redis://host/2?cluster=true', 'QUEUE_URL: a Redis Cluster has no other database than 0'],
    ['redis://host?prefix=%7Bmine%7D', 'QUEUE_URL: prefix must be letters, digits, ".", "_" and "-"'],
    ['redis://host?prefix=', 'QUEUE_URL: prefix must be letters, digits, ".", "_" and "-"'],
    ['redis:///0', 'QUEUE_URL: it names no host'],
    ['redis://user:100%@host', 'QUEUE_URL: a "%" in the user name or password is written as %25'],
  ])('is refused when it is %s', (url, message) => {
    expect(() => readRedisAddress(url)).toThrow(new ConfigError([message]));
  });

  it('is refused with all its mistakes, and without its password', () => {
    const read = () => readRedisAddress('redis://user:hidden%25@host/x?a=1&a=2&prefix=%3F');
    expect(read).toThrow(/unknown parameter "a".*\n.*number of a database.*\n.*prefix must be/);
    expect(read).not.toThrow(/hidden|parameter "a".*parameter "a"/s);
  });
});
