/** What must be known of a command before it is sent again or elsewhere. */

/** Change nothing, and may be answered by a replica. */
const readOnly = new Set(
  (
    'get mget strlen getrange substr exists ttl pttl expiretime pexpiretime type dump touch ' +
    'hget hmget hgetall hkeys hvals hlen hexists hstrlen hrandfield hscan httl hpttl ' +
    'lrange lindex llen lpos smembers sismember smismember scard srandmember sscan sinter sintercard sunion sdiff ' +
    'zrange zrangebyscore zrangebylex zrevrange zrevrangebyscore zrevrangebylex zrank zrevrank zscore zmscore zcard ' +
    'zcount zlexcount zrandmember zscan zdiff zinter zintercard zunion bitcount bitpos getbit bitfield_ro ' +
    'xlen xrange xrevrange xpending geopos geodist geohash geosearch georadius_ro georadiusbymember_ro ' +
    'pfcount memory object eval_ro evalsha_ro fcall_ro sort_ro lcs'
  ).split(' '),
);

/** Change the state of the connection, which all callers share; or wait longer than any deadline. */
const notShareable = new Set(
  (
    'subscribe unsubscribe psubscribe punsubscribe ssubscribe sunsubscribe monitor multi exec discard watch unwatch ' +
    'select auth hello quit reset asking readonly readwrite ' +
    'blpop brpop brpoplpush blmove blmpop bzpopmin bzpopmax bzmpop wait waitaof'
  ).split(' '),
);

/** Whether sending it twice, or to a replica, changes nothing. Lower case. */
export function isReadOnly(name: string): boolean {
  return readOnly.has(name);
}

/** Whether it would disturb the other users of its connection. Lower case. */
export function needsOwnConnection(name: string): boolean {
  return notShareable.has(name);
}

/** Whether the error reply says that the server did nothing, and may do it soon. */
export function isPassing(message: string): boolean {
  return /^(TRYAGAIN|CLUSTERDOWN|LOADING|MASTERDOWN) /.test(message);
}
