-- Counts ARGV[1] points on KEYS[1], in a window of ARGV[2] ms that begins with its first point.
-- Answers {points in this window, ms until it ends}.
local consumed = redis.call('INCRBY', KEYS[1], ARGV[1])
local left = redis.call('PTTL', KEYS[1])
-- A new key, or one that has lost its end: without an end it would refuse its client for ever.
if left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  left = tonumber(ARGV[2])
end
return { consumed, left }
