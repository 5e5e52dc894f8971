/* What malloc has given out, in bytes (the addon's large memory is counted apart): a leak grows this, while free memory
 * that malloc keeps in pieces grows only what is resident. Compiled and loaded by soak.mjs; glibc from 2.33. */
#include <malloc.h>
#include <node_api.h>

static napi_value allocated(napi_env env, napi_callback_info info) {
  (void)info;
  const struct mallinfo2 all = mallinfo2();
  napi_value out;
  napi_create_double(env, (double)all.uordblks + (double)all.hblkhd, &out);
  return out;
}

NAPI_MODULE_INIT() {
  napi_value function;
  napi_create_function(env, "allocated", NAPI_AUTO_LENGTH, allocated, NULL, &function);
  return function;
}
