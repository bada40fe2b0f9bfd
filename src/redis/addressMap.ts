/**
 * Translates the addresses that a cluster announces into ones that this process can reach: nodes in containers
 * announce container addresses, while their ports are published on the host.
 */
import ipaddr from 'ipaddr.js';
import type { NodeAddress } from '../config/clusterNodes.ts';

/** ioredis's `natMap` as a function: `host:port` → where to connect instead, or null to leave it. */
export type AddressMap = (announced: string) => { host: string; port: number } | null;

/**
 * With `reachVia`, every node is reached at that host and its announced port. Without, the same happens by itself
 * where the nodes were given as several loopback addresses and the cluster announces others: they can only be
 * published ports. `undefined`: nothing to translate.
 */
export function createAddressMap(nodes: readonly NodeAddress[], reachVia?: string): AddressMap | undefined {
  const allLoopback = nodes.length >= 2 && nodes.every(({ host }) => isLoopback(host));
  const via = reachVia ?? (allLoopback ? nodes[0]?.host : undefined);
  if (via === undefined) return undefined;
  const published = new Set(nodes.map(({ port }) => port));
  return (announced) => {
    const { host, port } = splitAddress(announced);
    if (isLoopback(host) && reachVia === undefined) return null;
    return reachVia !== undefined || published.has(port) ? { host: via, port } : null;
  };
}

function splitAddress(address: string): NodeAddress {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || (ipaddr.isValid(host) && ipaddr.process(host).range() === 'loopback');
}
