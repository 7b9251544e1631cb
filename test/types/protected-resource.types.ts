/** Compiled, never run: the document of a protected resource (RFC 9728) on each framework. */
import { createServer } from 'node:http';
import express from 'express';
import Fastify from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';
import type { ProtectedResourceOptions } from 'service-auth';
import { protectedResource as onExpress } from 'service-auth/express';
import { protectedResource as onFastify } from 'service-auth/fastify';
import { protectedResource as onHono } from 'service-auth/hono';
import { protectedResource as onKoa } from 'service-auth/koa';
import { protectedResource as onWeb } from 'service-auth/web';

const options: ProtectedResourceOptions = { resource: 'https://orders.example', scopesSupported: ['read'] };

express().use(onExpress(options));
const middleware = onExpress(options);
createServer((request, response) => middleware(request, response, () => response.end()));
// @ts-expect-error: a middleware goes on somewhere
createServer((request, response) => middleware(request, response));
// @ts-expect-error: a resource has a name
onExpress({});

Fastify().register(onFastify, options);
// @ts-expect-error: a plugin is registered with options of its own
Fastify().register(onFastify, { scopesSupported: ['read'] });
// @ts-expect-error: an unknown option
Fastify().register(onFastify, { ...options, global: true });

new Hono().use(onHono(options));
// @ts-expect-error: scopes are a list
onHono({ resource: 'https://orders.example', scopesSupported: 'read' });

new Koa().use(onKoa(options));
// @ts-expect-error: options are needed
onKoa();

const answer = onWeb(options);
export const handler = (request: Request): Response => answer(request) ?? new Response('orders');
// @ts-expect-error: most requests are for something else
export const always: (request: Request) => Response = answer;
// @ts-expect-error: an authorization server is named by a text
onWeb({ ...options, authorizationServers: [new URL('https://idp.example')] });
