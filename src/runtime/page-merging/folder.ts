/** Where the kernel says, and is told, what it merges (Documentation/admin-guide/mm/ksm.rst). */
export const PAGE_MERGING = '/sys/kernel/mm/ksm';
