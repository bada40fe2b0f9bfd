import { SluiceError } from '../../../src/errors.ts';
import { judge, NoAnswerError, type Stage, type Verdict } from '../../../src/postgres/errorClass.ts';

const withCode = (code: string) => Object.assign(new Error('x'), { code });

describe('the retry table', () => {
  const rows: [unknown, Record<Stage, Verdict>][] = [
    ['40001', { connecting: 'contended', in_transaction: 'contended', sent: 'contended' }],
    ['40P01', { connecting: 'contended', in_transaction: 'contended', sent: 'contended' }],
    ['57P03', { connecting: 'unreachable', in_transaction: 'unreachable', sent: 'unreachable' }],
    ['08001', { connecting: 'unreachable', in_transaction: 'unreachable', sent: 'unreachable' }],
    ['08004', { connecting: 'unreachable', in_transaction: 'unreachable', sent: 'unreachable' }],
    ['ECONNREFUSED', { connecting: 'unreachable', in_transaction: 'unreachable', sent: 'unreachable' }],
    ['57P01', { connecting: 'unreachable', in_transaction: 'unreachable', sent: 'unknown' }],
    ['57P02', { connecting: 'unreachable', in_transaction: 'unreachable', sent: 'unknown' }],
    ['08006', { connecting: 'unreachable', in_transaction: 'unreachable', sent: 'unknown' }],
    ['08007', { connecting: 'unreachable', in_transaction: 'unreachable', sent: 'unknown' }],
    ['ECONNRESET', { connecting: 'unreachable', in_transaction: 'unreachable', sent: 'unknown' }],
    ['EPIPE', { connecting: 'unreachable', in_transaction: 'unreachable', sent: 'unknown' }],
    ['ETIMEDOUT', { connecting: 'unreachable', in_transaction: 'unreachable', sent: 'unknown' }],
    ['53300', { connecting: 'contended', in_transaction: 'overloaded', sent: 'overloaded' }],
    ['53200', { connecting: 'overloaded', in_transaction: 'overloaded', sent: 'overloaded' }],
    ['57014', { connecting: 'overloaded', in_transaction: 'overloaded', sent: 'overloaded' }],
    ['55P03', { connecting: 'overloaded', in_transaction: 'overloaded', sent: 'overloaded' }],
    ['23505', { connecting: 'rejected', in_transaction: 'rejected', sent: 'rejected' }],
    ['22P02', { connecting: 'rejected', in_transaction: 'rejected', sent: 'rejected' }],
    ['42P01', { connecting: 'rejected', in_transaction: 'rejected', sent: 'rejected' }],
    ['28P01', { connecting: 'rejected', in_transaction: 'rejected', sent: 'rejected' }],
    ['3D000', { connecting: 'rejected', in_transaction: 'rejected', sent: 'rejected' }],
  ];
  test.each(rows)('%s', (code, expected) => {
    const found = Object.fromEntries(
      Object.keys(expected).map((stage) => [stage, judge(withCode(String(code)), stage as Stage)]),
    );
    expect(found).toEqual(expected);
  });

  test.each([
    'Connection terminated unexpectedly',
    'Connection terminated due to connection timeout',
    'Client has encountered a connection error and is not queryable',
  ])('knows what node-postgres says without a code: %s', (message) => {
    expect(judge(new Error(message), 'sent')).toBe('unknown');
    expect(judge(new Error(message), 'in_transaction')).toBe('unreachable');
    expect(judge(new Error(message), 'connecting')).toBe('unreachable');
  });

  test('a client-side timeout is ambiguous once a statement is on its way', () => {
    expect(judge(new NoAnswerError(10), 'sent')).toBe('unknown');
    expect(judge(new NoAnswerError(10), 'in_transaction')).toBe('unreachable');
  });

  test('the addresses of one host that all refuse count as one refusal', () => {
    expect(judge(new AggregateError([withCode('ECONNREFUSED'), withCode('ECONNREFUSED')]), 'connecting')).toBe(
      'unreachable',
    );
  });

  test('errors that are not the database’s pass', () => {
    expect(judge(new TypeError('x is not a function'), 'sent')).toBe('rejected');
    expect(judge(new SluiceError('email_taken'), 'in_transaction')).toBe('rejected');
    expect(judge('a string', 'sent')).toBe('rejected');
  });
});
