import { quote } from '../sql/bind.ts';
import { settings } from './tenant-tables.ts';

/**
 * What a transaction begins with that reads rows of one tenant, or of several. Sent before a simple query, it holds for its
 * implicit transaction alone; nothing of it is left to whoever has the connection next.
 */
export const asTenant = (tenants: string | readonly string[]): string =>
  typeof tenants === 'string'
    ? `set local ${settings.one} = ${quote(tenants)}; `
    : `set local ${settings.several} = ${quote(`{${tenants.join(',')}}`)}; `;
