/**
 * The first node keeps the plain names that operators know (`available_ports`, `cleanup-workers`); further nodes carry
 * theirs as a suffix.
 */
export const FIRST_NODE = 'node0';
