/** Who did it and from where, for the tenant's audit log. */
export type AuditContext = {
  actor: { id: string | null; type: string; name: string | null; email?: string | null };
  context: { ip: string | null; user_agent: string | null };
};
