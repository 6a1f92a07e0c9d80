# How a layer, a test and a fuzzer are declared.
#
#   isoveil_library(base SOURCES result.cc file.cc DEPS fmt::fmt)      -> target isoveil::base
#   isoveil_test(base_file_test SOURCES file_test.cc DEPS isoveil::base)
#   isoveil_fuzzer(gguf_fuzzer SOURCES gguf_fuzzer.cc DEPS isoveil::format SEEDS seeds ...)

add_library(isoveil_options INTERFACE)
target_include_directories(isoveil_options INTERFACE "${PROJECT_SOURCE_DIR}")
target_compile_options(isoveil_options INTERFACE -Wall -Wextra -Wpedantic
  # Designated initializers leave out what has a default.
  -Wno-missing-field-initializers
  # GCC 12 warns of std::string itself with -Wrestrict (its bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict> -Wshadow -Wconversion -Wno-sign-conversion -Werror=unused-result)
if(ISOVEIL_SANITIZE)
  target_compile_options(isoveil_options INTERFACE
    -fsanitize=${ISOVEIL_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(isoveil_options INTERFACE -fsanitize=${ISOVEIL_SANITIZE})
endif()
if(ISOVEIL_BUILD_FUZZERS)
  target_compile_options(isoveil_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

function(isoveil_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_library(isoveil_${name} STATIC ${arg_SOURCES})
  add_library(isoveil::${name} ALIAS isoveil_${name})
  # Our warnings and sanitizers are not for those who use what is installed.
  target_link_libraries(isoveil_${name} PUBLIC $<BUILD_INTERFACE:isoveil_options> ${arg_DEPS})
  target_compile_features(isoveil_${name} PUBLIC cxx_std_20)
  set_target_properties(isoveil_${name} PROPERTIES EXPORT_NAME ${name})
endfunction()

# What find_package(isoveil) offers: the named layers, with their headers and what these need of llama.cpp.
function(isoveil_install_layers)
  foreach(layer ${ARGN})
    install(TARGETS isoveil_${layer} EXPORT isoveil ARCHIVE DESTINATION lib/isoveil INCLUDES DESTINATION include)
    install(DIRECTORY "${PROJECT_SOURCE_DIR}/isoveil/${layer}" DESTINATION include/isoveil
      FILES_MATCHING PATTERN "*.h" PATTERN "*_for_test.h" EXCLUDE PATTERN "test_*.h" EXCLUDE)
  endforeach()
  install(DIRECTORY "${ISOVEIL_LLAMA_PREFIX}/include/" "${ISOVEIL_LLAMA_PREFIX}/vendor/nlohmann" DESTINATION include/isoveil/llama)
  install(EXPORT isoveil NAMESPACE isoveil:: DESTINATION lib/cmake/isoveil FILE isoveilTargets.cmake)
  include(CMakePackageConfigHelpers)
  write_basic_package_version_file("${PROJECT_BINARY_DIR}/isoveilConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
  install(FILES "${PROJECT_SOURCE_DIR}/cmake/isoveilConfig.cmake" "${PROJECT_BINARY_DIR}/isoveilConfigVersion.cmake"
    DESTINATION lib/cmake/isoveil)
endfunction()

function(isoveil_test name)
  if(NOT ISOVEIL_BUILD_TESTS)
    return()
  endif()
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS;LABELS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE isoveil_options ${arg_DEPS} GTest::gtest GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE ISOVEIL_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  # One ctest entry a binary: starting a process per case costs more than most cases.
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT 600)
endfunction()

# Every fuzzer runs its seeds, then mutates for some seconds, as a test: always the same mutations, so that a test that
# passed passes again. To look for more, run the program itself.
function(isoveil_fuzzer name)
  if(NOT ISOVEIL_BUILD_FUZZERS)
    return()
  endif()
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS;SEEDS" ${ARGN})
  list(TRANSFORM arg_SEEDS PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE isoveil_options ${arg_DEPS})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  set(corpus "${CMAKE_CURRENT_BINARY_DIR}/${name}-corpus")
  file(MAKE_DIRECTORY "${corpus}")
  add_test(NAME ${name} COMMAND ${name} -seed=1 -runs=20000 -max_total_time=10 -rss_limit_mb=1024 -timeout=5
    -print_final_stats=1 "${corpus}" ${arg_SEEDS})
  set_tests_properties(${name} PROPERTIES LABELS fuzz TIMEOUT 120)
endfunction()
