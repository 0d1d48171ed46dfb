export const subset = ['test_os'];
