# SPDX-License-Identifier: Apache-2.0
# Writes the SQL files of fleet/ and cells/ as one C file, so that the binary carries its own schema.
# cmake -DOUTPUT=… -DSOURCE=<this folder> -P embed.cmake
set(text "/* Made from migrations/ by migrations/embed.cmake. */\n")
string(APPEND text "#include \"controlplane/store/migrations.h\"\n\n")
foreach(database fleet cells)
  file(GLOB files RELATIVE ${SOURCE}/${database} ${SOURCE}/${database}/*.sql)
  list(SORT files)
  set(rows "")
  foreach(file ${files})
    string(REGEX REPLACE "[^a-z0-9]" "_" symbol "${database}_${file}")
    file(READ ${SOURCE}/${database}/${file} bytes HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
    string(APPEND text "static const char ${symbol}[] = {${bytes}0};\n")
    string(APPEND rows "    {\"${file}\", ${symbol}},\n")
  endforeach()
  string(APPEND text "\nconst struct migration migrations_of_${database}[] = {\n${rows}    {0, 0},\n};\n\n")
endforeach()
file(WRITE ${OUTPUT} "${text}")
