/* A library that Go's runtime wants of Windows and that Wine 8 does not have yet: random bytes. */
#include <windows.h>
#include <ntsecapi.h>

__declspec(dllexport) BOOL WINAPI ProcessPrng(PUCHAR data, SIZE_T length)
{
	return RtlGenRandom(data, (ULONG)length);
}
