import express from 'express';
import { requireServiceAuth } from 'service-auth/express';
import { listening, policies } from '../service.ts';

const app = express();
app.get('/orders', requireServiceAuth(policies.read), (req, res) => {
  res.json({ framework: 'express', client: req.caller?.clientId });
});
app.post('/orders', requireServiceAuth(policies.write), (_req, res) => {
  res.json({ framework: 'express' });
});

const server = app.listen(0, '127.0.0.1', () => listening(server.address()));
