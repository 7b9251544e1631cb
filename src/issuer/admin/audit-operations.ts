/** The audit log: who did what to what, and when. */
import * as z from 'zod';
import type { IssuerContext } from '../context.ts';
import { json } from '../http/http-answers.ts';
import { type Operation, operation } from './operation.ts';
import { cutPage, limit, sequence } from './pages.ts';
import { showAuditEntry } from './show.ts';
import { line } from './texts.ts';

const auditPage = z.strictObject({
  before: sequence.optional(),
  limit,
  target: line.max(500).optional(),
});

export function createAuditOperations({ settings: { storage } }: IssuerContext): readonly Operation[] {
  return [
    operation({
      id: 'listAudit',
      method: 'GET',
      path: '/audit',
      summary: 'Lists what administrators did, the newest first.',
      query: auditPage,
      answer: { status: 200, schema: 'AuditList' },
      async handle({ query: { before, limit: most, target } }) {
        const entries = await storage.listAudit({ before, limit: most + 1, target });
        const { page, last } = cutPage(entries, most);
        return json({ entries: page.map(showAuditEntry), next: last?.sequence });
      },
    }),
  ];
}
