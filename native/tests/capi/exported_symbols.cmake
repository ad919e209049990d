# SPDX-License-Identifier: Apache-2.0
# The library exports exactly the functions of the header.
# cmake -DNM=nm -DLIBRARY=libfiligree.so -DHEADER=filigree.h -P exported_symbols.cmake
execute_process(COMMAND "${NM}" --dynamic --defined-only --no-demangle "${LIBRARY}"
  OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^ \n]+\n" exported "${symbols}")
list(TRANSFORM exported STRIP)
list(TRANSFORM exported REPLACE "@.*" "")
list(SORT exported)

file(READ "${HEADER}" text)
string(REGEX MATCHALL "FG_API [^(;]*[ *]fg_[a-z0-9_]+\\(" declarations "${text}")
list(TRANSFORM declarations REPLACE ".*[ *](fg_[a-z0-9_]+)\\($" "\\1" OUTPUT_VARIABLE declared)
list(SORT declared)

set(missing ${declared})
list(REMOVE_ITEM missing ${exported})
set(surplus ${exported})
list(REMOVE_ITEM surplus ${declared})
list(LENGTH declared count)
if(missing OR surplus OR count EQUAL 0)
  message(FATAL_ERROR "${LIBRARY} and ${HEADER} differ.\n  declared, not exported: ${missing}\n"
                      "  exported, not declared: ${surplus}")
endif()
message(STATUS "${count} functions, all exported, nothing else is")
