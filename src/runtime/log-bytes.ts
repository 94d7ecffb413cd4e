/** Of an instance's output that is read at once; its app is somebody else's and may write without end. */
export const LOG_BYTES = 256 * 1024;
