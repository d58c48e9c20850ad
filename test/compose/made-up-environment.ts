import { randomBytes } from 'node:crypto';

/** A .env with what docker-compose.yml asks for, made as it says. */
export const madeUpEnvironment: Record<string, string> = {
  POSTGRES_PASSWORD: randomBytes(24).toString('hex'),
  REDIS_PASSWORD: randomBytes(24).toString('hex'),
  LOGFERRY_ADMIN_KEY: randomBytes(24).toString('hex'),
  LOGFERRY_SECRET_KEY: randomBytes(32).toString('base64'),
};
