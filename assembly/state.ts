// Byte 7 of a cell: what it is, and for a message where it is.
export const FREE: u8 = 0;
export const PENDING: u8 = 1; // sent, its record not yet on disk
export const VISIBLE: u8 = 2;
export const IN_FLIGHT: u8 = 3;
export const DELAYED: u8 = 4;
export const GROUP: u8 = 16;
export const DEDUP: u8 = 17;
export const WAITER: u8 = 18;
export const ATTEMPT: u8 = 19;
export const ATTEMPT_ROWS: u8 = 20; // more of an attempt
export const TENANT: u8 = 21;
export const FAIR: u8 = 22;
export const SUBSCRIPTION: u8 = 23;
export const PUBLISHER: u8 = 24;
export const WATCH: u8 = 25;
