/** Whether `result.denials` tells of refused system calls. As long as it does not, it has to be empty. */
export const DENIALS_REPORTED = false;
