import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

export const root = join(import.meta.dirname, '../..');

export type Service = {
  image: string;
  build?: string;
  command?: string[];
  user?: string;
  environment?: Record<string, string>;
  env_file?: { path: string; required: boolean }[];
  ports?: string[];
  volumes?: string[];
  networks?: string[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test?: string[]; disable?: boolean };
  restart?: string;
  container_name?: string;
  read_only?: boolean;
  cap_drop?: string[];
  security_opt?: string[];
  tmpfs?: string[];
  stop_grace_period?: string;
};

export type Compose = {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
  networks: Record<string, { internal?: boolean } | null>;
};

const text = readFileSync(join(root, 'docker-compose.yml'), 'utf8');
const reference = /\$\{(\w+)(?:(:-|:\?)([^}]*))?\}/g;

/** A `${NAME:-default}` or `${NAME:?message}` of the file. */
export type Reference = { name: string; kind: 'plain' | 'default' | 'required'; text: string };

/** All that the file takes from .env. Comments count: they are commands to be copied. */
export function references(): Reference[] {
  return [...text.matchAll(reference)].map(([, name, mark, rest]) => ({
    name: name!,
    kind: mark === ':-' ? 'default' : mark === ':?' ? 'required' : 'plain',
    text: rest ?? '',
  }));
}

/**
 * docker-compose.yml as compose would read it with this .env.
 * @throws Error for a required variable that is not set, as compose does
 */
export function readCompose(env: Record<string, string>): Compose {
  const filled = text.replace(reference, (_, name: string, mark: string, rest: string) => {
    if (env[name]) return env[name];
    if (mark === ':-') return rest;
    throw new Error(`${name} ${rest}`);
  });
  return parse(filled, { merge: true });
}
