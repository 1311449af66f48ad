# thindist as the linker of a CMake project: distributed, cached ThinLTO.
#
#   find_package(thindist)            with -DTHINDIST=ON: every target that is defined after this line
#   thindist_target(<target>...)      these targets, whatever THINDIST says
#
# THINDIST_LINKER is the path of ld.thindist. The compilers must be clang, of the same LLVM as the lld that thindist runs;
# docs/build-systems.md has a complete command line.

include_guard(DIRECTORY)

option(THINDIST "Link with ThinLTO through thindist" OFF)
find_program(THINDIST_LINKER ld.thindist HINTS "${CMAKE_CURRENT_LIST_DIR}/../bin"
             DOC "The linker that thindist stands in as")

set(_thindist_compile_options -flto=thin)
set(_thindist_link_options -flto=thin -fuse-ld=lld "--ld-path=${THINDIST_LINKER}")

# An error only if thindist was asked for.
function(_thindist_require)
  if(NOT THINDIST_LINKER)
    message(FATAL_ERROR "thindist: no ld.thindist in PATH; set THINDIST_LINKER to its path")
  endif()
  foreach(language IN ITEMS C CXX)
    if(CMAKE_${language}_COMPILER_LOADED AND NOT CMAKE_${language}_COMPILER_ID MATCHES "Clang")
      message(FATAL_ERROR "thindist: the ${language} compiler is ${CMAKE_${language}_COMPILER_ID}; "
                          "set CMAKE_${language}_COMPILER to clang")
    endif()
  endforeach()
endfunction()

function(thindist_target)
  _thindist_require()
  foreach(target IN LISTS ARGN)
    get_target_property(type ${target} TYPE)
    if(type STREQUAL "INTERFACE_LIBRARY")
      message(FATAL_ERROR "thindist: ${target} is an interface library: it is not compiled or linked")
    endif()
    target_compile_options(${target} PRIVATE ${_thindist_compile_options})
    if(NOT type MATCHES "STATIC_LIBRARY|OBJECT_LIBRARY")
      target_link_options(${target} PRIVATE ${_thindist_link_options})
    endif()
  endforeach()
endfunction()

if(THINDIST)
  _thindist_require()
  add_compile_options("$<$<COMPILE_LANGUAGE:C,CXX>:${_thindist_compile_options}>")
  add_link_options(${_thindist_link_options})
endif()

set(thindist_FOUND TRUE)
if(NOT THINDIST_LINKER)
  set(thindist_FOUND FALSE)
  set(thindist_NOT_FOUND_MESSAGE "no ld.thindist in PATH; set THINDIST_LINKER to its path")
endif()
