/**
 * The verdict on a cluster, with reasons in words.
 *
 * `unhealthy`: some keys cannot be served now. `degraded`: all can, but the next failure may cost some, or copies lag.
 * `healthy`: neither. What is true of a machine for trying things out (all nodes on one host) is a note, not a reason.
 */
import { slotTotal } from '../formation/slots.ts';
import type { ClusterFacts, NodeFacts } from './clusterFacts.ts';

/** See the module's header. */
export type HealthStatus = 'healthy' | 'degraded' | 'unhealthy';

/** A status and why. */
export interface Verdict {
  readonly status: HealthStatus;
  /** Empty when healthy; the gravest first. */
  readonly reasons: readonly string[];
  /** Worth knowing, and no reason to worry. */
  readonly notes: readonly string[];
}

/** Judges the facts. */
export function judge(facts: ClusterFacts): Verdict {
  const grave = graveReasons(facts);
  const mild = mildReasons(facts);
  const oneHost = facts.hosts === 1 && facts.nodes.length > 1;
  return {
    status: grave.length > 0 ? 'unhealthy' : mild.length > 0 ? 'degraded' : 'healthy',
    reasons: [...grave, ...mild],
    notes: oneHost ? ['all nodes are on one host: they go down together'] : [],
  };
}

function graveReasons({ nodes, state, slotsAssigned, slotsServed }: ClusterFacts): string[] {
  if (nodes.every(({ answered }) => !answered)) return ['no node answers'];
  const reasons: string[] = [];
  if (slotsAssigned < slotTotal) reasons.push(`${slotTotal - slotsAssigned} of ${slotTotal} slots belong to no node`);
  if (slotsServed < slotsAssigned) {
    reasons.push(`${slotsAssigned - slotsServed} of ${slotTotal} slots are not served: their master does not answer`);
  }
  if (state === 'fail') {
    const tellers = nodes.filter(({ problems }) => problems.some((problem) => problem.startsWith('cluster_state')));
    reasons.push(`cluster_state is fail in the eyes of ${list(tellers.map(({ address }) => address))}`);
  }
  return reasons;
}

function mildReasons(facts: ClusterFacts): string[] {
  const silent = facts.nodes.filter(({ answered }) => !answered);
  const answered = facts.nodes.filter((node) => node.answered);
  const broken = answered.filter(({ link }) => link === 'down' || link === 'syncing');
  const reasons = [
    ...(silent.length === facts.nodes.length ? [] : silent.map(silence)),
    ...broken.map(({ address, link }) => `${address} has no complete copy of its master (link: ${link})`),
    ...facts.mastersWithoutReplica.map((address) => `master ${address} has no replica that could take over`),
    ...answered
      .filter(({ figures }) => figures?.aof === 'failing')
      .map(({ address }) => `${address} cannot write its append-only file`),
  ];
  if (facts.hosts > 1) {
    for (const { host, shard, nodes } of facts.sharedHosts) {
      reasons.push(`shard ${shard} has ${nodes.length} nodes on host ${host} (${list(nodes)}): they go down together`);
    }
  }
  return reasons;
}

function silence({ address, role, problems }: NodeFacts): string {
  return `${role === 'unknown' ? 'node' : role} ${address} does not answer (${problems[0] ?? 'no reason known'})`;
}

/** The first few; a cluster may have hundreds of nodes. */
function list(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(', ');
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}
