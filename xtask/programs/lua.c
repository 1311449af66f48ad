/* Runs a script that uses the whole of the standard library. */
#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"
#include <stdio.h>

static const char *const SCRIPT =
    "local primes, sieve = {}, {}\n"
    "for i = 2, 5000 do\n"
    "  if not sieve[i] then primes[#primes + 1] = i; for j = i * i, 5000, i do sieve[j] = true end end\n"
    "end\n"
    "print(#primes, primes[#primes], table.concat(primes, ' ', 1, 10))\n"
    "local words = {}\n"
    "for word in ('the quick brown fox jumps over the lazy dog'):gmatch('%a+') do words[#words + 1] = word:upper() end\n"
    "table.sort(words)\n"
    "print(table.concat(words, ','), select('#', table.unpack(words)))\n"
    "local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end\n"
    "local co = coroutine.wrap(function() for i = 10, 20, 5 do coroutine.yield(fib(i)) end end)\n"
    "print(co(), co(), co(), string.format('%.12g %x %q', math.pi, 48879, 'a\\nb'))\n"
    "local object = setmetatable({}, { __index = function(_, key) return key .. '!' end, __call = function(_, x) return x * 2 end })\n"
    "print(object.name, object(21), pcall(error, 'caught'), utf8.char(228, 8364), 7 // 2, 7 % -3, 2^53 | 1)\n"
    "print(string.pack('>I4', 305419896):byte(1, -1), (load('return 1 + ...'))(41))\n";

int main(void) {
    lua_State *state = luaL_newstate();
    luaL_openlibs(state);
    if (luaL_dostring(state, SCRIPT)) return fprintf(stderr, "%s\n", lua_tostring(state, -1)), 1;
    lua_close(state);
    return 0;
}
