import { once } from 'node:events';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import express, { type NextFunction, type Request, type Response } from 'express';
import { errorTable, SluiceError } from '../../../src/errors.ts';
import { jsonBody } from '../../../src/http/jsonBody.ts';

const limitBytes = 1000;
const app = express();
app.post('/', jsonBody({ limitBytes }), (request, response) => {
  response.json({ body: request.body as unknown, polluted: ({} as { admin?: unknown }).admin !== undefined });
});
app.use((error: unknown, _request: Request, response: Response, _next: NextFunction) => {
  if (!(error instanceof SluiceError)) return void response.status(500).json({ code: 'internal' });
  response.status(errorTable[error.code].status).json({ code: error.code, message: error.message, ...error.context });
});
const server = app.listen(0, '127.0.0.1');
let url = '';
beforeAll(async () => {
  if (!server.listening) await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const json = { 'content-type': 'application/json' };

async function post(body: string | Buffer | undefined, headers: Record<string, string> = json) {
  const response = await fetch(url, {
    method: 'POST',
    headers,
    ...(body !== undefined && { body: new Uint8Array(Buffer.from(body)) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    text,
    answer: JSON.parse(text) as { code?: string; body?: unknown; polluted?: boolean },
  };
}

test.each([
  'application/json',
  'application/json; charset=utf-8',
  'Application/JSON;charset="UTF-8"',
  'application/json; version=2',
])('reads a body of type %s', async (type) => {
  expect(await post('{"a":"ü"}', { 'content-type': type })).toMatchObject({
    status: 200,
    answer: { body: { a: 'ü' } },
  });
});

test.each([
  ['no type', {}],
  ['text/plain', { 'content-type': 'text/plain' }],
  ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
  ['JSON lines', { 'content-type': 'application/jsonlines' }],
  ['a problem document', { 'content-type': 'application/problem+json' }],
  ['UTF-16', { 'content-type': 'application/json; charset=utf-16' }],
  ['Latin-1', { 'content-type': 'application/json; charset=iso-8859-1' }],
])('refuses %s', async (_name, headers: Record<string, string>) => {
  expect(await post('{"secret":"hunter2"}', headers)).toMatchObject({
    status: 415,
    answer: { code: 'unsupported_media_type' },
  });
});

test('refuses a compressed body, whatever it would unfold to', async () => {
  const bomb = gzipSync(Buffer.alloc(500_000, ' '));
  expect(await post(bomb, { ...json, 'content-encoding': 'gzip' })).toMatchObject({ status: 415 });
});

test.each([
  ['broken', '{"secret":"hunter2"'],
  ['trailing', '{"secret":"hunter2"}{}'],
  ['with single quotes', "{'secret':'hunter2'}"],
  ['a bare word', 'hunter2'],
  ['NaN', '{"secret":NaN}'],
  ['not UTF-8', Buffer.concat([Buffer.from('{"secret":"hunter2'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')])],
  ['white space only', '   '],
])('refuses JSON that is %s, and does not repeat it', async (_name, body) => {
  const { status, text, answer } = await post(body);
  expect({ status, code: answer.code }).toEqual({ status: 400, code: 'malformed_json' });
  expect(text).not.toContain('hunter');
});

test('takes as many bytes as the limit says and refuses one more, announced or not', async () => {
  const ofLength = (bytes: number) => `{"a":"${'x'.repeat(bytes - 8)}"}`;
  expect(await post(ofLength(limitBytes))).toMatchObject({ status: 200 });
  expect(await post(ofLength(limitBytes + 1))).toMatchObject({ status: 413, answer: { code: 'payload_too_large' } });
  const chunked = async (bytes: number) => {
    const request = httpRequest(url, { method: 'POST', headers: json, agent: false });
    request.write(ofLength(bytes).slice(0, 500));
    request.end(ofLength(bytes).slice(500));
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    response.resume();
    return response.statusCode;
  };
  expect(await chunked(limitBytes)).toBe(200);
  expect(await chunked(limitBytes + 1)).toBe(413);
});

test('a body without end is refused long before it ends', async () => {
  const request = httpRequest(url, { method: 'POST', headers: json, agent: false });
  request.on('error', () => undefined);
  const writing = setInterval(() => request.write('x'.repeat(400)), 5);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  clearInterval(writing);
  request.destroy();
  expect(response.statusCode).toBe(413);
});

test('after a refusal the connection serves the next request', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const send = async (body: string) => {
    const request = httpRequest(url, { method: 'POST', headers: json, agent });
    request.end(body);
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    response.resume();
    await once(response, 'end');
    return { status: response.statusCode, reused: request.reusedSocket };
  };
  expect(await send(`"${'x'.repeat(200_000)}"`)).toEqual({ status: 413, reused: false });
  expect(await send('{}')).toEqual({ status: 200, reused: true });
  agent.destroy();
});

test.each([
  ['none', undefined, json],
  ['none and no type', undefined, {}],
  ['an empty one', '', json],
])('asks for a body where there is %s', async (_name, body, headers: Record<string, string>) => {
  expect(await post(body, headers)).toMatchObject({
    status: 400,
    answer: { code: 'invalid_request', fields: [{ path: '', message: 'a JSON body is required' }] },
  });
});

test('a chunked body of no bytes is no body', async () => {
  const request = httpRequest(url, {
    method: 'POST',
    headers: { ...json, 'transfer-encoding': 'chunked' },
    agent: false,
  });
  request.end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  response.resume();
  expect(response.statusCode).toBe(400);
});

test('of duplicate keys the last one counts', async () => {
  expect((await post('{"a":1,"a":2}')).answer.body).toEqual({ a: 2 });
});

test('__proto__ stays an ordinary key and changes no prototype', async () => {
  const { status, text, answer } = await post('{"__proto__":{"admin":true}}');
  expect(status).toBe(200);
  expect(text).toContain('"__proto__":{"admin":true}');
  expect(answer.polluted).toBe(false);
});

test('deep nesting does no harm', async () => {
  expect(await post('['.repeat(500) + ']'.repeat(500))).toMatchObject({ status: 200 });
  expect(await post('['.repeat(1000))).toMatchObject({ status: 400, answer: { code: 'malformed_json' } });
});

test('a client that leaves in the middle of its body disturbs nobody', async () => {
  const request = httpRequest(url, { method: 'POST', headers: { ...json, 'content-length': '100' }, agent: false });
  request.on('error', () => undefined);
  request.write('{"a":');
  await once(request, 'socket');
  await new Promise((resolve) => setTimeout(resolve, 50));
  request.destroy();
  expect(await post('{"a":1}')).toMatchObject({ status: 200 });
});
